import type { Server } from "socket.io";
import { z } from "zod";

export const newOffer = z.object({
  side: z.enum(["bid", "ask"]),
  price: z.number().positive("a price above 0, please").max(999).multipleOf(0.01, "cents are the smallest coin"),
});
export type NewOffer = z.infer<typeof newOffer>;

export const offerId = z.object({ id: z.int() });

export interface Offer extends NewOffer {
  id: number;
  trader: string;
}

export interface Trade {
  /** The offer that was accepted. */
  id: number;
  price: number;
  buyer: string;
  seller: string;
}

/** What became of an offer: it stands, or it crossed one that stood. */
export type Posted = { offer: Offer } | { trade: Trade };

/** For whoever has no market yet. */
export interface Waiting {
  /** How many traders make a market. */
  size: number;
  /** How many wait for the next one. */
  waiting: number;
  /** How many have one. */
  trading: number;
}

export interface Account {
  cash: number;
  goods: number;
}

export interface Floor {
  traders: string[];
  offers: Offer[];
  trades: Trade[];
  account: Account;
}

export interface ClientToServer {
  /** Seated is who has a place in a market, and need not wait for one. */
  whoami(reply: (who: { name: string; token: string; seated: boolean }) => void): void;
  /** Answered when there are traders enough for a market. */
  enter(reply: (floor: Floor) => void): void;
  leave(reply: (gone: { trader: string }) => void): void;
  post_offer(offer: NewOffer, reply: (posted: Posted) => void): void;
  withdraw_offer(which: { id: number }, reply: (offer: Offer) => void): void;
  accept_offer(which: { id: number }, reply: (trade: Trade) => void): void;
}

/** What is notified by name; what comes without a name is a line for the person. */
export interface ServerToClient {
  NewOffer(offer: Offer): void;
  OfferGone(which: { id: number }): void;
  NewTrade(trade: Trade): void;
  NewAccount(account: Account): void;
  Gone(who: { trader: string }): void;
  Waiting(who: Waiting): void;
}

export type App = Server<ClientToServer, ServerToClient, Record<string, never>, { name?: string; token?: string }>;
