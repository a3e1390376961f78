import type { Lag } from '@oncekey/core'
import { flag, listOf, number, object, orNull, text, whole } from '../api/schema.ts'
import { type Html, html } from '../html/html.ts'
import { duration, table } from '../html/parts.ts'
import { type PageRoute, page } from '../routing/route.ts'

const consumersSchema = object({
  consumers: listOf(
    object({
      name: text,
      lag: object({
        known: flag,
        events: whole,
        oldestMs: orNull(number),
        horizon: orNull(object({ ageMs: number, pid: text })),
      }),
    }),
  ),
})

interface Consumers {
  readonly consumers: readonly { readonly name: string; readonly lag: Lag }[]
}

/** How far each consumer is behind, and what holds back the log. */
export const consumersPage: PageRoute = page<Consumers>({
  path: 'consumers',
  title: 'Consumers',
  inNavigation: true,
  isConfinable: false,
  api: { summary: 'How far each consumer is behind', takes: {}, answers: consumersSchema },
  exists: ({ lag }) => lag !== undefined,
  async load({ options: { lag } }) {
    const names = lag?.consumers ?? []
    const all = names.map(async (name) => ({ name, lag: (await lag?.log.lag(name)) as Lag }))
    return { consumers: await Promise.all(all) }
  },
  render({ consumers }): Html {
    const horizon = consumers.find(({ lag }) => lag.horizon !== null)?.lag.horizon
    return html`${table(
      ['Consumer', 'Events not passed', 'The oldest waits'],
      consumers.map(({ name, lag }) => [
        name,
        !lag.known ? 'not known to the log' : lag.events >= 10_000 ? 'over 10,000' : lag.events,
        !lag.known ? '' : lag.oldestMs === null ? 'none' : duration(lag.oldestMs),
      ]),
      'No consumer is named in `lag.consumers`.',
    )}
${
  horizon &&
  html`<p class="note">The oldest writing transaction has been open for ${duration(horizon.ageMs)}, on backend ${horizon.pid}. It does not stop the log, but retention waits for it.</p>`
}`
  },
})
