import { fanOutToEveryParty } from '../functions/fan-out-webhooks-2.ts'
import { earlierMarks, markMessages } from '../functions/message-marks.ts'

/**
 * What is known of a message lasts as long as the message: whom it concerns, which one endpoint it
 * was made for, and where it was discarded.
 */
export function markedMessages(schema: string): string[] {
  const { first, last } = earlierMarks(schema)
  return [
    ...first,
    `alter table ${schema}.webhook_messages
      add column other_customers text[] collate "C",
      add column only_for uuid,
      add column withheld_from uuid[]`,
    `comment on column ${schema}.webhook_messages.other_customers is
      'Whom it concerns as well, as further consumers have said.'`,
    `comment on column ${schema}.webhook_messages.only_for is
      'The endpoint for which a dead letter was edited; null for every other message.'`,
    `comment on column ${schema}.webhook_messages.withheld_from is
      'Endpoints where it was discarded or replaced.'`,
    ...markMessages(schema),
    ...last,
    fanOutToEveryParty(schema),
  ]
}
