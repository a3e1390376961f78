/**
 * The look-ups that are under way, by key. Claims of one key that arrive together share one
 * look-up, so a thousand retries of a finished key cost a few reads.
 */
export interface Questions<Reply> {
  /** A tick of a logical clock, to compare with that of a look-up. */
  now(): number
  /**
   * Starts a look-up, or joins the one that is under way. The reply to a look-up that began before
   * `since` counts only if `isFinal`. Otherwise this resolves to `undefined`, and the caller asks
   * again.
   */
  ask(id: string, since: number, ask: () => Promise<Reply>): Promise<Reply | undefined>
}

export function questions<Reply>(
  isFinal: (reply: Reply) => boolean,
  isShared: (reply: Reply) => boolean,
): Questions<Reply> {
  const open = new Map<string, { readonly askedAt: number; readonly reply: Promise<Reply> }>()
  let clock = 0

  return {
    now: () => ++clock,
    async ask(id, since, ask) {
      const question = open.get(id)
      if (question !== undefined) {
        const reply = await question.reply
        const counts = isFinal(reply) || (isShared(reply) && question.askedAt > since)
        return counts ? reply : undefined
      }
      const reply = ask()
      open.set(id, { askedAt: ++clock, reply })
      try {
        return await reply
      } finally {
        open.delete(id)
      }
    },
  }
}
