import type { BenchOptions } from './options.ts'
import type { Programs } from './programs.ts'
import type { Report } from './report.ts'

/** A question that tables answer. Nothing fails: a missed budget is a line in the report. */
export interface Bench {
  readonly name: string
  /** One line, for `--help`. */
  readonly about: string
  /** It takes long, so a run of all benches leaves it out. */
  readonly onlyByName?: true
  run(options: BenchOptions, programs: Programs): Promise<Report>
}
