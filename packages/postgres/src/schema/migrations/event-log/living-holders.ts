import { leaseSlots3 } from '../../superseded/log/lease-slots-3.ts'

/**
 * After a restart of the server, a relay can take its own slots back without counting as crashed.
 */
export function livingHolders(schema: string): string[] {
  return [
    // The life of the server in which the relay asked last; null if its release does not report
    // that.
    `alter table ${schema}.relays add column asked_in text`,
    `comment on column ${schema}.relays.asked_in is
      'In which life of the server it asked last.'`,
    leaseSlots3(schema),
  ]
}
