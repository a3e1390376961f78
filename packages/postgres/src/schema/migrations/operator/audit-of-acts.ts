import { auditFunction } from '../../functions/operator/audit.ts'

/** The audit trail of every act, not only of those on keys. */
export function auditOfActs(schema: string): string[] {
  return [auditFunction(schema)]
}
