import { expect, test } from 'vitest'
import { toldToCustomer } from '../../src/facade/told-to-customer.ts'

test.each([
  ['timeout', 'No complete answer within 10000 ms.', 'No complete answer came in time.'],
  ['ECONNREFUSED', 'connect ECONNREFUSED 10.0.0.7:443', 'connect ECONNREFUSED'],
  ['ECONNREFUSED', 'connect ECONNREFUSED ::1:443', 'connect ECONNREFUSED'],
  ['ENOTFOUND', '"hooks.example" has no address.', '"hooks.example" has no address.'],
  ['ECONNRESET', 'read ECONNRESET', 'read ECONNRESET'],
  ['CERT_HAS_EXPIRED', 'certificate has expired', 'certificate has expired'],
  ['UND_ERR_SOCKET', 'other side closed', 'other side closed'],
  ['status 500', 'other side closed', 'other side closed'],
  [
    'proxy-refused',
    'The egress proxy answered 502 to CONNECT 10.0.0.7:443.',
    /could not be reached/,
  ],
  ['address-forbidden', '10.3.4.5 is not a public address', /address that nothing is sent to/],
  ['clock-jumped', 'The clock of the host jumped', /fault on the side of the sender/],
  ['EMFILE', 'connect EMFILE 192.0.2.1:443', /fault on the side of the sender/],
  ['TypeError', "Cannot read 'vault.internal'", /fault on the side of the sender/],
])('of a failure %s a customer is told what is about their own host', (error, message, told) => {
  const given = toldToCustomer({ error, message }).message
  if (typeof told === 'string') expect(given).toBe(told)
  else expect(given).toMatch(told)
  expect(toldToCustomer({ error, message }).error).toBe(error)
})

test('what has no message is left as it is', () => {
  const delivered = { error: null, message: null }
  expect(toldToCustomer(delivered)).toBe(delivered)
  const refused = { error: 'status 500', message: undefined }
  expect(toldToCustomer(refused)).toBe(refused)
})
