import { settleAndKeepWaits } from '../superseded/settle-webhooks-5.ts'

/** A wait that an endpoint asked for outlasts the deliveries that were under way. */
export function waitsOfEndpoints(schema: string): string[] {
  return [settleAndKeepWaits(schema)]
}
