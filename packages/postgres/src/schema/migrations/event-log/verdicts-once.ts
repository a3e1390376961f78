import { settle3 } from '../../functions/settling/settle-3.ts'

/** A verdict that is sent again, because its reply was lost, is recorded once. */
export function verdictsOnce(schema: string): string[] {
  return [settle3(schema)]
}
