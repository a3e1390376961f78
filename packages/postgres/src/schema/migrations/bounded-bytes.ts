import { readEvents3 } from '../functions/log/read-events-3.ts'
import { takeDue3 } from '../functions/log/take-due-3.ts'

/** Pages of events and of deliveries that end at so many bytes. */
export function boundedBytes(schema: string): string[] {
  return [readEvents3(schema), takeDue3(schema)]
}
