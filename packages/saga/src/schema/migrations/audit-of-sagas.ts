import { actOnRun } from '../superseded/act-on-run.ts'

/** Operators' acts on runs are entered in the audit trail. */
export function auditOfSagas(schema: string): string[] {
  return [actOnRun(schema)]
}
