import { recordInRole } from '../functions/record-in-role.ts'

/** A step may switch its transaction to any role, so every role needs USAGE on the schema. */
export function rolesOfSteps(schema: string): string[] {
  return [`grant usage on schema ${schema} to public`, recordInRole(schema)]
}
