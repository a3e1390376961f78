/**
 * Repeats a statement that changes at most `limit` rows until it changes fewer, but at most {@link
 * MOST_PORTIONS} times. The next call continues with the rest.
 */
export async function inPortions(
  change: (limit: number) => Promise<readonly { readonly count: string }[]>,
): Promise<void> {
  for (let portion = 0; portion < MOST_PORTIONS; portion += 1) {
    const [row] = await change(PORTION)
    if (Number(row?.count) < PORTION) return
  }
}

const PORTION = 5_000
const MOST_PORTIONS = 50
