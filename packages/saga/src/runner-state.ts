import type { Leases } from './leases.ts'
import type { Places } from './places.ts'
import type { ResolvedOptions } from './runner-options.ts'
import type { Statements } from './statements/all.ts'

/** What the parts of a runner share. */
export interface RunnerState<Tx> extends ResolvedOptions<Tx> {
  readonly statements: Statements
  readonly leases: Leases
  /** Those of `execute`; the loop counts its own. */
  readonly places: Places
  /** The runs that this process drives, and when each is done with here. */
  readonly driving: Map<string, Promise<void>>
  /** Set once: claims nothing more, and lets each run go after its step. */
  draining: boolean
  /** Set once, after `draining`: aborts what is under way, and gives its runs back. */
  stopping: boolean
}
