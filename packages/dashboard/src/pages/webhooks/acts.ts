import { object, resultWord, text } from '../../api/schema.ts'
import { html } from '../../html/html.ts'
import { badge, facts, linkTo, payload } from '../../html/parts.ts'
import { confirmedAct } from '../../routing/act.ts'
import { type ActRoute, BadInput, NotFound } from '../../routing/route.ts'
import type { ShownEndpoint, WebhooksSource } from '../../sources/webhooks.ts'
import { pingSchema } from './schemas.ts'

const id = { about: 'The id of the endpoint.', required: true } as const
const exists = ({ webhooks }: { readonly webhooks: unknown }): boolean => webhooks !== undefined

/** The answer to an act on an endpoint: `done`, and the status in which the act has left it. */
const leftAs = object({ result: text, status: text })

/** A ping changes nothing that is stored, so it requires no reason. */
export const pingEndpoint: ActRoute = {
  method: 'POST',
  path: 'webhooks/ping',
  act: 'endpoints.ping',
  api: {
    summary: 'Send one signed `webhook.test` now; answers what came back',
    takes: { id },
    answers: pingSchema,
  },
  exists,
  async perform(form, { options }) {
    const endpointId = form.text('id')
    const pinged = await (options.webhooks as WebhooksSource).endpoints.ping(endpointId)
    if (pinged === undefined) throw new NotFound(NO_ENDPOINT)
    const shown = pinged.body === '' ? '' : options.mask(pinged.body, 'response')
    const result = { ...pinged, body: shown }
    const body = html`${facts([
      ['Result', badge(result.isDelivered ? 'delivered' : 'failed')],
      ['Status', result.status],
      ['Error', result.error],
      ['What that means', result.message],
      ['Took', `${Math.round(result.durationMs)} ms`],
    ])}
<h2>Response</h2>
${result.body === '' ? html`<p class="empty">It has no body.</p>` : payload(result.body)}
<p><a href="${linkTo('endpoint', { id: endpointId })}">Back to the endpoint</a></p>`
    return { result, shown: { title: 'Ping', body } }
  },
}

export const rotateSecret: ActRoute = confirmedAct({
  path: 'webhooks/rotate',
  act: 'endpoints.rotate-secret',
  summary: 'Add a new secret; the present one signs beside it for a while',
  fields: {
    id,
    overlapHours: {
      about: 'For how long the present secret signs beside it, 24 if left out. 0 if it leaked.',
      narrows: true,
    },
  },
  answers: object({ secret: text }),
  exists,
  async perform(form, { options }, act) {
    const hours = Number(form.optional('overlapHours') ?? '24')
    if (!(hours >= 0 && hours <= 24 * 365)) {
      throw new BadInput('`overlapHours` must be a number from 0 to 8,760, such as 24.')
    }
    const endpointId = form.text('id')
    const { endpoints } = options.webhooks as WebhooksSource
    const rotated = await endpoints.rotateSecret(
      endpointId,
      { overlapMs: Math.round(hours * 3_600_000) },
      act,
    )
    if (rotated === undefined) throw new NotFound(NO_ENDPOINT)
    const body = html`<p role="status" class="said">This is the new secret. It is not shown again: give it to the receiver now.</p>
${payload(rotated.secret)}
<p>The secret before signs beside it for ${hours} hours.</p>
<p><a href="${linkTo('endpoint', { id: endpointId })}">Back to the endpoint</a></p>`
    return { result: { secret: rotated.secret }, shown: { title: 'New secret', body } }
  },
})

export const pauseEndpoint: ActRoute = confirmedAct({
  path: 'webhooks/pause',
  act: 'endpoints.pause',
  summary: 'Send nothing to an endpoint until it is enabled, and keep its events',
  fields: { id },
  answers: leftAs,
  exists,
  async perform(form, { options }, act) {
    const endpointId = form.text('id')
    const { endpoints } = options.webhooks as WebhooksSource
    const changed = await endpoints.pause(endpointId, act.note.slice(0, 1_000).toWellFormed(), act)
    return nowAs('pause', endpointId, changed)
  },
})

export const enableEndpoint: ActRoute = confirmedAct({
  path: 'webhooks/enable',
  act: 'endpoints.enable',
  summary: 'Send to an endpoint again, beginning with what was kept',
  fields: { id },
  answers: leftAs,
  exists,
  async perform(form, { options }, act) {
    const endpointId = form.text('id')
    const changed = await (options.webhooks as WebhooksSource).endpoints.enable(endpointId, act)
    return nowAs('enable', endpointId, changed)
  },
})

export const retryDelivery: ActRoute = confirmedAct({
  path: 'webhooks/retry',
  act: 'deliveries.retry',
  summary: 'Schedule a delivery for now, with its retry schedule begun anew',
  fields: { id: { about: 'The id of the delivery.', required: true } },
  answers: resultWord,
  exists,
  async perform(form, { options }, act) {
    const deliveryId = form.text('id')
    const outcome = await (options.webhooks as WebhooksSource).deliveries.retry(deliveryId, act)
    const result = outcome === 'scheduled' ? 'done' : (outcome ?? 'absent')
    return wentTo('delivery', deliveryId, 'retry', result)
  },
})

function nowAs(did: string, id: string, changed: ShownEndpoint | undefined) {
  if (changed === undefined) throw new NotFound(NO_ENDPOINT)
  const result = 'done'
  return { to: linkTo('endpoint', { id, did, result }), result: { result, status: changed.status } }
}

function wentTo(page: string, endpointId: string, did: string, result: string) {
  if (result === 'absent') throw new NotFound('It is not there, or not any more.')
  return { to: linkTo(page, { id: endpointId, did, result }), result: { result } }
}

const NO_ENDPOINT = 'There is no such endpoint, or it was deleted.'
