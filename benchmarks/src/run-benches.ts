import type { Bench } from './bench.ts'
import type { BenchOptions } from './options.ts'
import { bundlePrograms } from './programs.ts'
import type { Report } from './report.ts'

export interface BenchResult {
  readonly bench: string
  readonly report: Report
}

/**
 * Runs the benches one after the other, because two at once would disturb each other's
 * measurements.
 */
export async function runBenches(
  benches: readonly Bench[],
  options: BenchOptions,
  onResult: (result: BenchResult) => void = () => {},
): Promise<BenchResult[]> {
  const programs = await bundlePrograms(options)
  const results: BenchResult[] = []
  try {
    for (const { name, run } of benches) {
      const result = { bench: name, report: await run(options, programs) }
      results.push(result)
      onResult(result)
    }
  } finally {
    programs.remove()
  }
  return results
}
