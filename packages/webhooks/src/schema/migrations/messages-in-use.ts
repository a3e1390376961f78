import { purgeUnsentMessages } from '../functions/purge-webhook-messages.ts'

/** A message is not purged while a replay makes a delivery of it. */
export function messagesInUse(schema: string): string[] {
  return [purgeUnsentMessages(schema)]
}
