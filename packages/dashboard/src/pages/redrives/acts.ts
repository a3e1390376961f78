import type { RedriveStart } from '@oncekey/core'
import { resultWord } from '../../api/schema.ts'
import { linkTo } from '../../html/parts.ts'
import { confirmedAct } from '../../routing/act.ts'
import { timeOf } from '../../routing/given-time.ts'
import {
  type ActRoute,
  BadInput,
  type Described,
  type Form,
  NotFound,
} from '../../routing/route.ts'
import type { WebhooksSource } from '../../sources/webhooks.ts'
import { FILTER, filterOf } from '../dead-letters/filter.ts'
import { startedSchema } from './schemas.ts'
import { hasRedrives, redrivesOf } from './source.ts'

const START: Readonly<Record<string, Described>> = {
  ratePerSecond: { about: 'How many a second; 50 where it is left out.', narrows: true },
  limit: {
    about: 'The most to take, or `all`; all that match where it is left out.',
    narrows: true,
  },
  requestId: {
    about:
      'A name for this start. Sent again with it, because the reply was lost, it starts nothing.',
    narrows: true,
  },
}

const MOST_IDS = 1_000

export const startRedrive: ActRoute = confirmedAct({
  path: 'redrives/start',
  act: 'dead-letters.redrive',
  summary: 'Put a redrive of all that match on record; whoever works the source carries it',
  fields: {
    ...FILTER,
    ids: { about: `Only these letters: a JSON array of at most ${MOST_IDS} ids.`, narrows: true },
    ...START,
  },
  answers: startedSchema,
  exists: hasRedrives,
  async perform(form, { options }, act) {
    const { source, redrives } = redrivesOf(options, form.optional('source'))
    const ids = idsOf(form)
    const filter = { ...filterOf(form.optional), ...(ids !== undefined && { ids }) }
    const id = await redrives.start(filter, startOf(form), act)
    return started(source, id)
  },
})

export const cancelRedrive: ActRoute = confirmedAct({
  path: 'redrives/cancel',
  act: 'redrives.cancel',
  summary: 'End a redrive that is running; what it has taken stays taken',
  fields: {
    source: { about: 'Whose: consumers, webhooks, sagas.', narrows: true },
    id: { about: 'The id of the redrive.', required: true },
  },
  answers: resultWord,
  exists: hasRedrives,
  async perform(form, { options }, act) {
    const { source, redrives } = redrivesOf(options, form.optional('source'))
    const id = form.text('id')
    const outcome = await redrives.cancel(id, act)
    if (outcome === 'unknown') throw new NotFound('There is no such redrive.')
    const result = outcome === 'cancelled' ? 'done' : outcome
    return { to: linkTo('one', { source, id, did: 'cancel', result }), result: { result } }
  },
})

export const replayWindow: ActRoute = confirmedAct({
  path: 'webhooks/replay',
  act: 'deliveries.replay',
  summary: 'Send everything of a time to one endpoint again, as a redrive on record',
  fields: {
    id: { about: 'The id of the endpoint.', required: true },
    since: { about: 'From this time on, ISO 8601 with its zone.', required: true },
    until: { about: 'Up to this time, or `now`; now where it is left out.', narrows: true },
    ...START,
  },
  answers: startedSchema,
  exists: ({ webhooks }) => webhooks !== undefined,
  async perform(form, { options }, act) {
    const { deliveries } = options.webhooks as WebhooksSource
    const since = timeOf('since', form.optional)
    const until = form.optional('until') === 'now' ? undefined : timeOf('until', form.optional)
    if (since === undefined) throw new BadInput('`since` is missing: from when on?')
    const window = { endpointId: form.text('id'), since, ...(until !== undefined && { until }) }
    const id = await deliveries.replay(window, { ...startOf(form), ...act })
    if (id === undefined) throw new NotFound('There is no such endpoint, or it was deleted.')
    return started('webhooks', id, '../redrives/')
  },
})

function started(source: string, id: string, root = '') {
  const to = linkTo(`${root}one`, { source, id, did: 'it is on record', result: 'done' })
  return { to, result: { id } }
}

function startOf(form: Form): RedriveStart {
  const pace = ['ratePerSecond', 'limit'].flatMap((name) => {
    const value = form.optional(name)
    if (value === undefined || (name === 'limit' && value === 'all')) return []
    return [[name, Number(value)] as const]
  })
  const requestId = form.optional('requestId')
  return { ...Object.fromEntries(pace), ...(requestId !== undefined && { requestId }) }
}

function idsOf(form: Form): readonly string[] | undefined {
  const text = form.optional('ids')
  if (text === undefined) return undefined
  const ids = parsed(text)
  const isList = Array.isArray(ids) && ids.every((id) => typeof id === 'string')
  if (isList && ids.length >= 1 && ids.length <= MOST_IDS) return ids
  throw new BadInput(`\`ids\` must be a JSON array of 1 to ${MOST_IDS} ids, such as ["17","18"].`)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
