import type { Lag } from '@oncekey/core'
import { actForm } from '../../html/act-form.ts'
import { type Content, type Html, html } from '../../html/html.ts'
import { badge, duration, errorOf, table, time } from '../../html/parts.ts'
import { said } from '../../html/said.ts'
import { mayAct, type Viewer } from '../../routing/access.ts'
import { type PageRoute, page } from '../../routing/route.ts'
import type { ShownConsumer } from '../../sources/consumers.ts'
import { consumersSchema } from './schemas.ts'

interface Consumer {
  readonly name: string
  /** `null` if the dashboard has no option `lag`. */
  readonly lag: Lag | null
  /**
   * `null` if the dashboard has no option `consumers`, or if the log does not know this consumer.
   */
  readonly record: ShownConsumer | null
}

/**
 * The page of consumers: how far each is behind, which relays run it, and what keeps events from
 * being deleted.
 */
export const consumersPage: PageRoute = page<{ readonly consumers: readonly Consumer[] }>({
  path: 'consumers',
  title: 'Consumers',
  inNavigation: true,
  isConfinable: false,
  api: {
    summary: 'How far each consumer is behind, and who works for it',
    takes: {},
    answers: consumersSchema,
  },
  exists: ({ lag, consumers }) => lag !== undefined || consumers !== undefined,
  async load({ options: { lag, consumers } }) {
    const known = (await consumers?.list()) ?? []
    const names = new Set([...(lag?.consumers ?? []), ...known.map(({ name }) => name)])
    const shown = []
    // In turn, because the connections of the pool are the application's.
    for (const name of names) {
      const behind = (await lag?.log.lag(name)) ?? null
      const record = known.find((each) => each.name === name) ?? null
      shown.push({ name, lag: behind, record })
    }
    return { consumers: shown }
  },
  render({ consumers }, { query, viewer }): Html {
    const horizon = consumers.find(({ lag }) => lag?.horizon != null)?.lag?.horizon
    return html`${said(query, 'All relays obey it within seconds.', 'Somebody else may have done it.')}
${table(
  [
    'Consumer',
    'Events not passed',
    'The oldest waits',
    'State',
    'Relays',
    'A second',
    'Last error',
  ],
  consumers.map(({ name, lag, record }) => [
    html`${name}${record && html`<br><span class="note">${record.types?.join(', ')}</span>`}`,
    lag && behind(lag),
    lag?.known && (lag.oldestMs === null ? 'none' : duration(lag.oldestMs)),
    record && stateOf(record),
    record && html`${record.relays.length}, ${record.heldSlots} slots`,
    record && Math.round(record.perSecond * 10) / 10,
    record?.lastError && html`${errorOf(record.lastError)}<br>${time(record.lastError.at)}`,
  ]),
  'No consumer is named in `lag.consumers`.',
)}
${
  horizon &&
  html`<p class="note">The oldest writing transaction has been open for ${duration(horizon.ageMs)}, ${/^\d+$/.test(horizon.pid) ? 'on backend' : 'as'} ${horizon.pid}. It does not stop the log, but retention waits for it.</p>`
}
${consumers.map(({ record }) => record && actOn(record, viewer))}`
  },
})

function behind({ known, events }: Lag): Content {
  if (!known) return 'not known to the log'
  return events >= 10_000 ? 'over 10,000' : events
}

function stateOf({ pause, abandonedAt, relays }: ShownConsumer): Content {
  if (pause !== null) {
    return html`${badge('paused')}<br><span class="note">by ${pause.by}: ${pause.note}</span>`
  }
  if (abandonedAt !== null) return badge('abandoned')
  return badge(relays.length > 0 ? 'running' : 'no relay')
}

function actOn({ name, pause }: ShownConsumer, viewer: Viewer): Content {
  const hidden = { consumer: name }
  if (pause === null) {
    return (
      mayAct(viewer, 'consumers.pause') &&
      html`<details><summary>Pause ${name}</summary>${actForm({
        action: 'consumers/pause',
        hidden,
        label: `Pause ${name}`,
        warning: 'No relay delivers to it until it is resumed; its events are kept in the log.',
      })}</details>`
    )
  }
  return (
    mayAct(viewer, 'consumers.resume') &&
    html`<details><summary>Resume ${name}</summary>${actForm({
      action: 'consumers/resume',
      hidden,
      label: `Resume ${name}`,
      warning: 'Relays deliver again, beginning with what was kept.',
    })}</details>`
  )
}
