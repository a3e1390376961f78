import { type ActedBy, OptionsError } from '@oncekey/core'
import type { Endpoints, NewEndpoint } from '../endpoints/endpoints.ts'
import type { Deliveries } from '../operator/deliveries.ts'
import { toldToCustomer, withoutKeyNames } from './told-to-customer.ts'

/**
 * One customer's endpoints and deliveries, for routes that customers reach. An id that belongs to
 * somebody else behaves like one that does not exist. Why an attempt failed is told in texts that
 * name neither addresses nor anything else of this side. So are `seal-key-missing` and
 * `seal-broken`, which calls throw that open a secret or store one: the error that names the key is
 * the `cause`.
 */
export interface CustomerWebhooks {
  readonly endpoints: CustomerEndpoints
  readonly deliveries: Deliveries
}

export interface CustomerEndpoints extends Omit<Endpoints, 'register' | 'list'> {
  register(endpoint: Omit<NewEndpoint, 'customer'>, by?: ActedBy): ReturnType<Endpoints['register']>
  list(
    filter?: Omit<NonNullable<Parameters<Endpoints['list']>[0]>, 'customer'>,
  ): ReturnType<Endpoints['list']>
}

/**
 * Restricts endpoints and deliveries to one customer. An endpoint never changes its customer, so it
 * is enough to check the customer before each act.
 */
export function forCustomer(
  customer: string,
  endpoints: Endpoints,
  deliveries: (customer: string) => Deliveries,
): CustomerWebhooks {
  if (typeof customer !== 'string' || customer === '') {
    throw new OptionsError(
      'forCustomer: the customer is missing. Write `hooks.forCustomer(req.user.account)`.',
    )
  }
  const all = deliveries(customer)

  const isOwn = async (endpointId: string) =>
    (await endpoints.get(endpointId))?.customer === customer

  /** Makes an act that resolves with `undefined` if the endpoint is not this customer's. */
  const own = <Rest extends unknown[], Result>(
    act: (id: string, ...rest: Rest) => Promise<Result>,
  ) =>
    withoutKeyNames(
      async (id: string, ...rest: Rest): Promise<Result | undefined> =>
        (await isOwn(id)) ? await act(id, ...rest) : undefined,
    )

  return {
    endpoints: {
      register: (endpoint, by) => endpoints.register({ ...endpoint, customer }, by),
      list: (filter = {}) => endpoints.list({ ...filter, customer }),
      get: own(endpoints.get),
      update: own(endpoints.update),
      pause: own(endpoints.pause),
      resume: own(endpoints.resume),
      disable: own(endpoints.disable),
      enable: own(endpoints.enable),
      delete: own(endpoints.delete),
      ping: own(async (id) => {
        const pinged = await endpoints.ping(id)
        return pinged && toldToCustomer(pinged)
      }),
      rotateSecret: own(endpoints.rotateSecret),
      secrets: withoutKeyNames(async (id: string) =>
        (await isOwn(id)) ? await endpoints.secrets(id) : [],
      ),
    },
    deliveries: {
      list: all.list,
      async get(id) {
        const found = await all.get(id)
        if (found === undefined || !(await isOwn(found.endpointId))) return undefined
        return { ...found, history: found.history.map(toldToCustomer) }
      },
      request: withoutKeyNames(async (id: string) => {
        const found = await all.get(id)
        if (found === undefined || !(await isOwn(found.endpointId))) return undefined
        return await all.request(id)
      }),
      async retry(id, by) {
        const found = await all.get(id)
        if (found === undefined || !(await isOwn(found.endpointId))) return undefined
        return await all.retry(id, by)
      },
      replay: async (window, pace) =>
        (await isOwn(window.endpointId)) ? await all.replay(window, pace) : undefined,
    },
  }
}
