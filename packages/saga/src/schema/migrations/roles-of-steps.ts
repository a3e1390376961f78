import { recordInRole } from '../functions/record-in-role.ts'

/** Every role gets USAGE on the schema, because a step may switch its transaction to any role. */
export function rolesOfSteps(schema: string): string[] {
  return [`grant usage on schema ${schema} to public`, recordInRole(schema)]
}
