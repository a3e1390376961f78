import type { BenchOptions } from './options.ts'
import type { Programs } from './programs.ts'
import type { Report } from './report.ts'

/**
 * A bench answers a question with tables. A missed budget is a line in the report, not a failure.
 */
export interface Bench {
  readonly name: string
  /** One line, for `--help`. */
  readonly about: string
  /** The bench takes long, so a run of all benches leaves it out. */
  readonly onlyByName?: true
  run(options: BenchOptions, programs: Programs): Promise<Report>
}
