import type { Places } from './concurrency-limit.ts'
import type { Leases } from './leases.ts'
import type { ResolvedOptions } from './runner-options.ts'
import type { Statements } from './statements.ts'

/** What it takes to look at runs and to act on them, without driving any. */
export interface RunsState<Tx>
  extends Pick<ResolvedOptions<Tx>, 'client' | 'schema' | 'acquireTimeoutMs'> {
  readonly statements: Statements
  /** By `Definition.id`; `undefined` where nobody here knows any saga. */
  readonly definitions: ResolvedOptions<Tx>['definitions'] | undefined
}

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
