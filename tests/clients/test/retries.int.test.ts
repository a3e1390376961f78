import { waitFor } from '@oncekey/test-servers'
import Stripe from 'stripe'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { payingClients, stripeFor } from '../src/paying-clients.ts'
import { type PaymentsApi, startPaymentsApi } from '../src/payments-api.ts'

let api: PaymentsApi
let amounts = 1000

const PATIENT_MS = 20_000

beforeAll(async () => {
  api = await startPaymentsApi(inject('postgresUrl'))
})
afterAll(() => api.stop())

/** An amount that no other test pays, so that its bytes can be found on the wire. */
function newAmount(): number {
  amounts += 1
  return amounts
}

const statuses = (cents: number) => api.requests(cents).map(({ status }) => status)
const keys = (cents: number) => new Set(api.requests(cents).map(({ key }) => key))

describe.each(payingClients)('$name', ({ pay }) => {
  test('pays once when the answer is lost, and gets the replay', async () => {
    const cents = newAmount()
    const lost = api.proxy.dropAfter(sent(cents))
    expect(await pay(api, cents, PATIENT_MS)).toEqual({ status: 200, replayed: true, cents })
    await lost
    expect(statuses(cents)).toEqual([200, 200])
    expect(keys(cents).size).toBe(1)
    expect(await api.payments(cents)).toBe(1)
  })

  test('pays once when the request is lost', async () => {
    const cents = newAmount()
    const lost = api.proxy.dropBefore(sent(cents))
    expect(await pay(api, cents, PATIENT_MS)).toEqual({ status: 200, replayed: false, cents })
    await lost
    expect(api.requests(cents)).toHaveLength(1)
    expect(await api.payments(cents)).toBe(1)
  })

  test('pays once when it retries while the handler runs: 409, then the result', async () => {
    const cents = newAmount()
    const release = api.hold()
    const paid = pay(api, cents, 400)
    await waitFor(() => statuses(cents).includes(409), { what: 'a 409', timeoutMs: 20_000 })
    expect(await api.payments(cents)).toBe(0)
    release()
    expect(await paid).toEqual({ status: 200, replayed: true, cents })
    expect(keys(cents).size).toBe(1)
    expect(await api.payments(cents)).toBe(1)
  })
})

/** Matches a request with this amount: the end of a JSON body, or the member of a form. */
function sent(cents: number): (bytes: Buffer) => boolean {
  return (bytes) => bytes.includes(`"cents":${cents}}`) || bytes.includes(`amount=${cents}`)
}

describe("Stripe's SDK", () => {
  test('is refused on every retry when its card is declined, and nothing is written', async () => {
    const cents = newAmount()
    const stripe = stripeFor(api, PATIENT_MS)
    const decline = () =>
      stripe.paymentIntents
        .create(
          { amount: cents, currency: 'eur', payment_method: 'pm_card_chargeDeclined' },
          { idempotencyKey: 'declined-1' },
        )
        .catch((error) => error)
    const errors = [await decline(), await decline()]
    for (const error of errors) {
      expect(error).toBeInstanceOf(Stripe.errors.StripeCardError)
      expect(error).toMatchObject({ code: 'card_declined', statusCode: 402 })
    }
    const replayed = errors.map(({ headers }) => headers['idempotent-replayed'])
    expect(replayed).toEqual([undefined, 'true'])
    expect(await api.payments(cents)).toBe(0)
  })

  test('sends its own keys, one for each call', async () => {
    const cents = newAmount()
    const stripe = stripeFor(api, PATIENT_MS)
    for (const _ of [1, 2]) await stripe.paymentIntents.create({ amount: cents, currency: 'eur' })
    expect([...keys(cents)].every((key) => key?.startsWith('stripe-node-retry-'))).toBe(true)
    expect(keys(cents).size).toBe(2)
    expect(await api.payments(cents)).toBe(2)
  })
})
