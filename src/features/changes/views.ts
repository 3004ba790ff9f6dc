/** So many topics of a socket are remembered before it is looked which of them it is still in. */
const MANY = 200;

/**
 * What the members of topics were shown last. A login is no news to a client's lists, but that they are shown something else is: they are told
 * with the review that follows it.
 */
export class Views<Member extends object> {
  readonly #shown = new WeakMap<Member, Map<string, string>>();
  readonly #topicsOf: (member: Member) => readonly string[];

  /** @param topicsOf - the topics that a member is in */
  constructor(topicsOf: (member: Member) => readonly string[]) {
    this.#topicsOf = topicsOf;
  }

  /** A member is let into a topic, or reviewed. Returns whether it was shown something else of it before. */
  show(member: Member, topic: string, view: string): boolean {
    let shown = this.#shown.get(member);
    if (shown === undefined) this.#shown.set(member, (shown = new Map()));
    const before = shown.get(topic);
    shown.set(topic, view);
    if (shown.size > MANY) this.#tidy(member, shown, topic);
    return before !== undefined && before !== view;
  }

  /** A member has left a topic. */
  forget(member: Member, topic: string): void {
    this.#shown.get(member)?.delete(topic);
  }

  /** Of a join that is given up just before it is answered nobody tells. */
  #tidy(member: Member, shown: Map<string, string>, joining: string): void {
    const topics = new Set([...this.#topicsOf(member), joining]);
    for (const topic of shown.keys()) if (!topics.has(topic)) shown.delete(topic);
  }
}
