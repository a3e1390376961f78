import { OptionsError } from '@oncekey/core'
import type { Deliveries } from './deliveries.ts'
import type { Endpoints, NewEndpoint } from './endpoints.ts'

/**
 * One customer's endpoints and deliveries, for routes that customers reach: an id of somebody else's
 * is as one that is not there.
 */
export interface CustomerWebhooks {
  readonly endpoints: CustomerEndpoints
  readonly deliveries: Deliveries
}

export interface CustomerEndpoints extends Omit<Endpoints, 'register' | 'list'> {
  register(endpoint: Omit<NewEndpoint, 'customer'>): ReturnType<Endpoints['register']>
  list(
    filter?: Omit<NonNullable<Parameters<Endpoints['list']>[0]>, 'customer'>,
  ): ReturnType<Endpoints['list']>
}

/** Whose an endpoint is never changes, so looking before acting is enough. */
export function forCustomer(
  customer: string,
  endpoints: Endpoints,
  deliveries: (customer: string) => Deliveries,
): CustomerWebhooks {
  if (typeof customer !== 'string' || customer === '') {
    throw new OptionsError(
      'forCustomer: say whose endpoints: `hooks.forCustomer(req.user.account)`.',
    )
  }
  const all = deliveries(customer)

  const isOwn = async (endpointId: string) =>
    (await endpoints.get(endpointId))?.customer === customer

  /** The call where the endpoint is the customer's, and otherwise `undefined`, as where it is not there. */
  const own =
    <Rest extends unknown[], Result>(act: (id: string, ...rest: Rest) => Promise<Result>) =>
    async (id: string, ...rest: Rest): Promise<Result | undefined> =>
      (await isOwn(id)) ? await act(id, ...rest) : undefined

  return {
    endpoints: {
      register: (endpoint) => endpoints.register({ ...endpoint, customer }),
      list: (filter = {}) => endpoints.list({ ...filter, customer }),
      get: own(endpoints.get),
      update: own(endpoints.update),
      pause: own(endpoints.pause),
      resume: own(endpoints.resume),
      disable: own(endpoints.disable),
      enable: own(endpoints.enable),
      delete: own(endpoints.delete),
      ping: own(endpoints.ping),
      rotateSecret: own(endpoints.rotateSecret),
      secrets: async (id) => ((await isOwn(id)) ? await endpoints.secrets(id) : []),
    },
    deliveries: {
      list: all.list,
      async get(id) {
        const found = await all.get(id)
        return found !== undefined && (await isOwn(found.endpointId)) ? found : undefined
      },
      async retry(id) {
        const found = await all.get(id)
        if (found === undefined || !(await isOwn(found.endpointId))) return undefined
        return await all.retry(id)
      },
    },
  }
}
