import type { Act } from '@oncekey/core'
import type { Endpoint, WebhookDelivery, WebhookDeliveryDetail, Webhooks } from '@oncekey/webhooks'
import { usageError } from '../command/cli-error.ts'
import type { DashboardApi } from '../command/dashboard-api.ts'
import { listIn } from './api.ts'

/** The functions of webhooks that the verbs use. */
export interface WebhooksToSee {
  readonly endpoints: Pick<
    Webhooks<never>['endpoints'],
    'list' | 'get' | 'ping' | 'rotateSecret'
  > & {
    pause(id: string, reason: string, act: Act): Promise<LeftAs | undefined>
    resume(id: string, act: Act): Promise<LeftAs | undefined>
    enable(id: string, act: Act): Promise<LeftAs | undefined>
  }
  readonly deliveries: Pick<Webhooks<never>['deliveries'], 'list' | 'get' | 'replay'>
}

/** The status in which an act has left an endpoint. */
export interface LeftAs {
  readonly status: Endpoint['status']
}

type Ping = NonNullable<Awaited<ReturnType<WebhooksToSee['endpoints']['ping']>>>

/** Endpoints and deliveries through a dashboard. */
export function remoteWebhooks(api: DashboardApi, noteOf: () => string): WebhooksToSee {
  const act = <Result>(verb: string, fields: Readonly<Record<string, string | undefined>>) =>
    api.post<Result>(`webhooks/${verb}`, { ...fields, note: noteOf(), confirmed: 'yes' })
  const get = async (id: string) =>
    (await api.find<{ endpoint: Endpoint }>('webhooks/endpoint', { id, limit: '1' }))?.endpoint

  /**
   * What an act did is in its own reply; the endpoint may be changed again before it is read. A
   * dashboard of the release before says only that it is done.
   */
  const setAs = async (verb: string, id: string, meant: Endpoint['status']): Promise<LeftAs> => {
    const { status = meant } = await act<Partial<LeftAs>>(verb, { id })
    return { status }
  }
  // The dashboard has one act for an endpoint that is paused or disabled.
  const enable = (id: string) => setAs('enable', id, 'enabled')

  return {
    endpoints: {
      get,
      async list({ customer, status, type, after, limit = 100 } = {}) {
        const asked = { customer, status, type, after, limit: String(limit) }
        return [...listIn((await api.get<{ items: Endpoint[] }>('webhooks', asked)).items)]
      },
      pause: (id) => setAs('pause', id, 'paused'),
      resume: enable,
      enable,
      // A ping is not an act, so the dashboard requires no reason.
      ping: (id) => api.post<Ping>('webhooks/ping', { id }),
      rotateSecret: (id, { overlapMs = 86_400_000 } = {}) =>
        act('rotate', { id, overlapHours: String(overlapMs / 3_600_000) }),
    },
    deliveries: {
      async list({ endpointId, eventId, state, before, limit = 100 } = {}) {
        if (endpointId !== undefined && eventId === undefined) {
          const asked = { id: endpointId, state, after: before, limit: String(limit) }
          const found = await api.find<{ deliveries: { items: WebhookDelivery[] } }>(
            'webhooks/endpoint',
            asked,
          )
          return found?.deliveries.items ?? []
        }
        if (eventId !== undefined && endpointId === undefined && state === undefined) {
          const found = await api.find<{ webhooks: WebhookDelivery[] }>('events/one', {
            id: eventId,
          })
          return found?.webhooks ?? []
        }
        throw usageError(
          'Through a dashboard deliveries are those of --endpoint, with or without --state, or of --event alone.',
        )
      },
      get: async (id) =>
        (await api.find<{ delivery: WebhookDeliveryDetail }>('webhooks/delivery', { id }))
          ?.delivery,
      async replay({ endpointId, since, until }, { ratePerSecond, limit, requestId } = {}) {
        const { id } = await act<{ id: string }>('replay', {
          id: endpointId,
          since: since.toISOString(),
          until: until?.toISOString(),
          ratePerSecond: ratePerSecond === undefined ? undefined : String(ratePerSecond),
          limit: limit === undefined ? undefined : String(limit),
          requestId,
        })
        return id
      },
    },
  }
}
