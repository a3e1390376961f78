import { recordInRole } from '../functions/record-in-role.ts'

/** A step may put its transaction into any role. For that everybody may name what is in the schema. */
export function rolesOfSteps(schema: string): string[] {
  return [`grant usage on schema ${schema} to public`, recordInRole(schema)]
}
