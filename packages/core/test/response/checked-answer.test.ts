import { expect, test } from 'vitest'
import { checkedAnswer } from '../../src/contracts/stored-response.ts'
import { response } from '../support/post.ts'

// A bug: the message showed the value, which may be a cookie.
test('an answer with a header that cannot be sent is refused by the name of the header', () => {
  const stored = { ...response(200, 'x', [['set-cookie', 'sid=s3cret\n']]), seal: null }
  expect(() => checkedAnswer(stored as never)).toThrow(
    'keys.answer: the response must be one that can be sent, where every line of `headers` can be sent; "set-cookie" cannot.',
  )
  const unlike = { ...stored, headers: [{ name: 'set-cookie', value: 'sid=s3cret' }] }
  expect(() => checkedAnswer(unlike as never)).toThrow('`headers` is a list of [name, value].')
})
