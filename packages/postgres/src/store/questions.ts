/**
 * Questions that are being put to the database, by key. Claims of one key that arrive together share
 * one question and its answer: a thousand retries of a finished key are a few reads, not a thousand.
 */
export interface Questions<Answer> {
  /** When something happened, to compare with when a question was asked. */
  now(): number
  /**
   * Asks, or listens to who is asking already. An answer to a question that was asked before `since`
   * counts only if `isFinal` says that it stays true; otherwise it is `undefined`: look again.
   */
  ask(id: string, since: number, ask: () => Promise<Answer>): Promise<Answer | undefined>
}

export function questions<Answer>(
  isFinal: (answer: Answer) => boolean,
  isShared: (answer: Answer) => boolean,
): Questions<Answer> {
  const open = new Map<string, { readonly askedAt: number; readonly answer: Promise<Answer> }>()
  let clock = 0

  return {
    now: () => ++clock,
    async ask(id, since, ask) {
      const question = open.get(id)
      if (question !== undefined) {
        const answer = await question.answer
        const counts = isFinal(answer) || (isShared(answer) && question.askedAt > since)
        return counts ? answer : undefined
      }
      const answer = ask().finally(() => open.delete(id))
      open.set(id, { askedAt: ++clock, answer })
      return await answer
    },
  }
}
