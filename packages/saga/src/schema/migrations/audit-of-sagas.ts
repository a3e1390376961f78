import { actOnRun } from '../functions/act-on-run.ts'

/** What operators do to runs is in the audit trail. */
export function auditOfSagas(schema: string): string[] {
  return [actOnRun(schema)]
}
