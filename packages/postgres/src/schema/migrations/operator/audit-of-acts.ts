import { auditFunction } from '../../superseded/operator/silent-audit.ts'

/** Extends the audit trail from acts on keys to all acts. */
export function auditOfActs(schema: string): string[] {
  return [auditFunction(schema)]
}
