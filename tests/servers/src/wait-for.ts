export interface WaitOptions {
  /** The condition in words, for the error: "the row to be committed". */
  what: string
  /** In CI four times as long, because its machines are shared. @default 10_000 */
  timeoutMs?: number
  /** @default 10 */
  intervalMs?: number
}

/**
 * Calls `condition` until it returns something truthy, and returns that. If it throws, it counts as
 * not met; the last error becomes the cause of the error with which the wait times out.
 */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  { what, timeoutMs = 10_000, intervalMs = 10 }: WaitOptions,
): Promise<Exclude<T, undefined | null | false | 0 | ''>> {
  const longestMs = process.env.CI ? timeoutMs * 4 : timeoutMs
  const deadline = performance.now() + longestMs
  for (;;) {
    let thrown: unknown
    try {
      const value = await condition()
      if (value) return value as Exclude<T, undefined | null | false | 0 | ''>
    } catch (error) {
      thrown = error
    }
    if (performance.now() > deadline) {
      throw new Error(`Waited ${longestMs} ms in vain for ${what}`, { cause: thrown })
    }
    await new Promise((resolve) => setTimeout(resolve, intervalMs))
  }
}
