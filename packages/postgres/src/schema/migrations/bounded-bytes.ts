import { takeDue3 } from '../functions/log/take-due-3.ts'
import { readEvents3 } from '../superseded/log/read-events-3.ts'

/** Limits pages of events and of deliveries in bytes. */
export function boundedBytes(schema: string): string[] {
  return [readEvents3(schema), takeDue3(schema)]
}
