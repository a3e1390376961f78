import type { BenchOptions } from './options.ts'
import type { Programs } from './programs.ts'
import type { Report } from './report.ts'

/** One question, answered by tables. Nothing gates: a missed budget is a line that says so. */
export interface Bench {
  readonly name: string
  /** One line, for `--help`. */
  readonly about: string
  /** It takes long, so it is not among all of them. */
  readonly onlyByName?: true
  run(options: BenchOptions, programs: Programs): Promise<Report>
}
