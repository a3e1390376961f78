import { interleaved } from '../rounds.ts'
import { type Pair, ratioTables } from './ratios.ts'
import type { Revision } from './revision.ts'

/**
 * Measures two trees in turn, round by round, and returns the tables with ratios of the first tree
 * to the second. Because they alternate, other work on the machine affects both.
 */
export async function compare(
  now: Revision,
  then: Revision,
  { rounds, args }: { readonly rounds: number; readonly args: readonly string[] },
): Promise<ReturnType<typeof ratioTables>> {
  const [ours = [], theirs = []] = await interleaved(rounds, [
    () => now.measure(args),
    () => then.measure(args),
  ])
  return ratioTables(ours.map((after, round): Pair => ({ after, before: theirs[round] ?? [] })))
}
