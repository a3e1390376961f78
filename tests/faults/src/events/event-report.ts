import type { EventFindings } from './event-audit.ts'
import type { EventCampaignResult } from './event-campaign.ts'

/** The number of findings. */
export function eventFindingsIn({ findings }: EventCampaignResult): number {
  return Object.values(findings).reduce((sum, found) => sum + found.length, 0)
}

/** A campaign as one table of Markdown, with the first examples of every finding below it. */
export function eventReport(result: EventCampaignResult): string {
  const { options, begun, findings, counts, produced, faults, seconds, settings } = result
  const { store, broken, seed, concurrency } = options
  const made = [...faults].toSorted(([one], [other]) => one.localeCompare(other))
  const total = made.reduce((sum, [, count]) => sum + count, 0)
  const rows: [string, string | number][] = [
    ['operations of producers', begun],
    ['of these with an unknown outcome', produced.unknown],
    ['events in the database', counts.events],
    ['deliveries and effects', counts.deliveries],
    ['of these repeated', counts.repeats],
    ['effects of inboxes', counts.effects],
    ['acknowledged events that a failover lost', counts.lost],
    [`faults (${made.map(([name, count]) => `${name} ${count}`).join(', ')})`, total],
    ...Object.entries(TITLES).map(([name, title]): [string, number] => [
      `**${title}**`,
      findings[name as keyof EventFindings].length,
    ]),
  ]
  return [
    `| ${broken === undefined ? store : `${store}, ${broken}`}, seed \`${seed}\` | ${Math.round(seconds)} s |`,
    '|---|---:|',
    ...rows.map(([what, figure]) => `| ${what} | ${figure} |`),
    '',
    `${concurrency} producers at once; ${settings}.`,
    ...Object.entries(findings).flatMap(([name, found]: [string, string[]]) =>
      found.slice(0, SHOWN).map((text) => `${TITLES[name as keyof EventFindings]}: ${text}`),
    ),
  ].join('\n')
}

const TITLES: Record<keyof EventFindings, string> = {
  missing: 'committed events that are not there',
  undoneThere: 'events of what was rolled back',
  emittedTwice: 'events that are there twice',
  undelivered: 'events that did not reach a consumer',
  phantoms: 'deliveries of what was never committed',
  doubleEffects: 'effects that are there twice',
  followUps: 'events of consumers without effect, or the other way round',
  outOfOrder: 'events out of order',
  unsettled: 'consumers behind, deliveries retrying or dead',
  deliveredAgain: 'events that came again when all had been passed',
  stillHeld: 'leases and transactions left over',
  crashes: 'processes that ended by themselves',
}
const SHOWN = 5
