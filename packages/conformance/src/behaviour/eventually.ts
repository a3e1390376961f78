/**
 * Polls until the condition holds, and returns the result. Throws the last result after `withinMs`.
 */
export async function eventually<Found>(
  what: string,
  find: () => Promise<Found | undefined>,
  withinMs = 10_000,
): Promise<Found> {
  const until = performance.now() + withinMs
  for (;;) {
    const found = await find()
    if (found !== undefined) return found
    if (performance.now() > until) throw new Error(`Waited ${withinMs} ms in vain for ${what}.`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
