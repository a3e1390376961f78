import type { CampaignResult } from './campaign.ts'
import type { Findings } from './ledger.ts'

/** The number of findings. */
export function findingsIn({ ledger }: CampaignResult): number {
  return Object.values(ledger.findings).reduce((sum, found) => sum + found.length, 0)
}

/** A campaign as one table of Markdown, with the first examples of every finding below it. */
export function report(result: CampaignResult): string {
  const { options, ledger, faults, requests, settledLater, seconds, settings } = result
  const { counts, findings } = ledger
  const made = [...faults].toSorted(([one], [other]) => one.localeCompare(other))
  const total = made.reduce((sum, [, count]) => sum + count, 0)
  const title = options.broken === undefined ? options.store : `${options.store}, ${options.broken}`
  const rows: [string, string | number][] = [
    ['orders', options.orders],
    ['requests sent', requests],
    ['final answers', counts.answers],
    ['of these replays', counts.replays],
    ['keys used for something else', counts.misuses],
    ['orders that got their answer only afterwards', settledLater],
    ['answers that an asynchronous failover lost', counts.lost],
    [`faults (${made.map(([name, count]) => `${name} ${count}`).join(', ')})`, total],
    ...Object.entries(TITLES).map(([name, title]): [string, number] => [
      `**${title}**`,
      findings[name as keyof Findings].length,
    ]),
  ]
  return [
    `| ${title}, seed \`${options.seed}\` | ${Math.round(seconds)} s |`,
    '|---|---:|',
    ...rows.map(([what, figure]) => `| ${what} | ${figure} |`),
    '',
    `${options.concurrency} orders at once; ${settings}.`,
    ...Object.entries(findings).flatMap(([name, found]: [string, string[]]) =>
      found.slice(0, SHOWN).map((text) => `${TITLES[name as keyof Findings]}: ${text}`),
    ),
  ].join('\n')
}

const TITLES: Record<keyof Findings, string> = {
  doubleEffects: 'more effects than there should be',
  lostSuccesses: 'successes that are not in the database',
  unequalReplays: 'answers unlike the first',
  wrongOutcomes: 'answers of another kind than the order',
  eventsUnlikeEffects: 'events without effect, or effects without event',
  strayEffects: 'effects of requests that were refused',
  doubleCharges: 'charges under a second key',
  misusesAnswered: 'other requests that were answered under a used key',
  stuckKeys: 'keys stuck',
  crashes: 'processes that ended by themselves',
  leftOver: 'connections, locks or attempts left over',
  takenBack: 'answers that a synchronous failover took back',
  answersUnlikeRecord: 'answers that are not what is on record',
  ranOnReplica: 'orders that a server ran while its pool was on a replica',
}
const SHOWN = 5
