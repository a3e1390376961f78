import { auditFunction } from '../../functions/operator/audit.ts'

/** Extends the audit trail from acts on keys to all acts. */
export function auditOfActs(schema: string): string[] {
  return [auditFunction(schema)]
}
