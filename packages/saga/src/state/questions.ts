/** What this process is asking the database for its callers. A stop waits for the answers. */
export interface Questions {
  asked<T>(question: Promise<T>): Promise<T>
  /**
   * Resolves when the questions under way are answered, and whoever asked has done what follows
   * from that at once.
   */
  answered(): Promise<void>
}

export function questions(): Questions {
  const underWay = new Set<Promise<unknown>>()

  return {
    async asked(question) {
      underWay.add(question)
      try {
        return await question
      } finally {
        underWay.delete(question)
      }
    },
    async answered() {
      await followed()
      await Promise.allSettled(underWay)
      await followed()
    },
  }
}

/** Whatever follows from promises that are settled by now has happened. */
function followed(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
