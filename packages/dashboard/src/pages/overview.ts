import { type Lag, messageOf } from '@oncekey/core'
import { listOf, object, text } from '../api/schema.ts'
import { type Html, html } from '../html/html.ts'
import { duration, linkTo } from '../html/parts.ts'
import { type PageRoute, page } from '../routing/route.ts'

/** One figure, or why it is missing. */
interface Figure {
  readonly name: string
  readonly value: string
  readonly more: string
  readonly to: string
}

/**
 * The overview. Each figure links to its list. If a query fails, its figure says so, and the others
 * are shown.
 */
export const overview: PageRoute = page<{ readonly figures: readonly Figure[] }>({
  path: '',
  title: 'Overview',
  inNavigation: true,
  isConfinable: false,
  api: {
    summary: 'The figures that a person on call looks at first',
    takes: {},
    answers: object({ figures: listOf(object({ name: text, value: text, more: text, to: text })) }),
  },
  exists: () => true,
  async load({ options: { keys, deadLetters, lag, webhooks, sagas } }) {
    const figures: Promise<Figure>[] = []
    if (keys?.lists) {
      figures.push(
        told('Keys of unknown outcome', 'keys?state=unknown', async () => {
          const { items, next } = await keys.list({ state: 'unknown' }, { limit: MOST })
          return [atMost(items.length, next !== undefined), 'refused until somebody decides']
        }),
      )
    }
    for (const source of deadLetters) {
      figures.push(
        told(
          `Dead letters: ${source.name}`,
          linkTo('dead-letters', { source: source.name }),
          async () => {
            const { depth, oldestAgeMs } = await source.stats()
            const oldest =
              oldestAgeMs === null ? 'nothing is dead' : `the oldest for ${duration(oldestAgeMs)}`
            return [String(depth), oldest]
          },
        ),
      )
    }
    if (webhooks !== undefined) {
      figures.push(
        told('Webhook endpoints disabled', 'webhooks?status=disabled', async () => {
          const found = await webhooks.endpoints.list({ status: 'disabled', limit: MOST })
          return [atMost(found.length, found.length === MOST), 'their events are kept for later']
        }),
      )
    }
    if (sagas !== undefined) {
      figures.push(
        told('Sagas that need a person', 'sagas?stuck=yes', async () => {
          const found = await sagas.list({ stuck: true, limit: MOST })
          return [atMost(found.length, found.length === MOST), 'neither go on nor back']
        }),
      )
    }
    for (const consumer of lag?.consumers ?? []) {
      figures.push(
        told(`Events that wait for ${consumer}`, 'consumers', async () => {
          const behind = (await lag?.log.lag(consumer)) as Lag
          if (!behind.known) return ['?', 'the log knows no such consumer']
          const oldest =
            behind.oldestMs === null
              ? 'no event waits'
              : `the oldest for ${duration(behind.oldestMs)}`
          return [atMost(behind.events, behind.events >= 10_000), oldest]
        }),
      )
    }
    return { figures: await Promise.all(figures) }
  },
  render: ({ figures }): Html =>
    html`<ul class="figures">${figures.map(
      ({ name, value, more, to }) =>
        html`<li><a href="./${to}">${name}<b>${value}</b>${more}</a></li>`,
    )}</ul>`,
})

async function told(
  name: string,
  to: string,
  ask: () => Promise<readonly [value: string, more: string]>,
): Promise<Figure> {
  try {
    const [value, more] = await ask()
    return { name, value, more, to }
  } catch (error) {
    return { name, value: '?', more: `Not told: ${messageOf(error)}`, to }
  }
}

function atMost(count: number, isMore: boolean): string {
  return isMore ? `over ${count}` : String(count)
}

const MOST = 100
