import { memoryCluster } from "socket-ingress/testing";
import { MemoryDocumentStore, type DocumentStore } from "socket-ingress/collab";
import { openStage, type Stage, type StageOptions } from "./stage.js";

/** Two servers of this process that share a store, joined by nothing but memory. */
export interface TwoNodes extends AsyncDisposable {
  readonly nodes: readonly [Stage, Stage];
  readonly store: DocumentStore;
  /** Cuts them off from each other; returns what joins them again. */
  partition(): () => void;
}

/** Starts both. */
export async function openTwo({ store = new MemoryDocumentStore(), ...options }: StageOptions = {}): Promise<TwoNodes> {
  const { adapter, partition } = memoryCluster();
  const node = (): Promise<Stage> => openStage({ store, server: { adapter }, ...options });
  const nodes = [await node(), await node()] as const;
  return {
    nodes,
    store,
    partition,
    async [Symbol.asyncDispose]() {
      for (const stage of nodes) await stage[Symbol.asyncDispose]();
    },
  };
}
