import { leaseSlots3 } from '../../functions/log/lease-slots-3.ts'

/** A relay that takes its slots back after a restart of the server has not vanished. */
export function livingHolders(schema: string): string[] {
  return [
    // In which life of the server it asked last; null: by the release before, which did not say.
    `alter table ${schema}.relays add column asked_in text`,
    `comment on column ${schema}.relays.asked_in is
      'In which life of the server it asked last.'`,
    leaseSlots3(schema),
  ]
}
