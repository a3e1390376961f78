import { actTarget } from '@oncekey/core'

/** The target of acts on a run, in the audit trail. */
export function runTarget(id: string): string {
  return actTarget('saga-run', id)
}
