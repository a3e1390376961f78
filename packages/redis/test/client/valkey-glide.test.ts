import { waitFor } from '@oncekey/test-servers'
import { expect, test } from 'vitest'
import { isErrorReply } from '../../src/client/store-error.ts'
import { fromGlide, subscriberOfGlide } from '../../src/client/valkey-glide.ts'

/** What a command throws whose reply from glide is this error. */
async function thrown(message: string): Promise<unknown> {
  const failing = async (): Promise<never> => {
    throw Object.assign(new Error(message), { name: 'RequestError' })
  }
  const client = fromGlide({ customCommand: failing, invokeScript: failing })
  return await client.info('memory').catch((error: unknown) => error)
}

test.each([
  ['An error was signalled by the server: - NoScriptError: No such script.', 'NOSCRIPT'],
  ['An error was signalled by the server: - Novel: of a later release', 'Novel'],
  ['OOM: command not allowed', 'OOM'],
  ['ResponseError: wrong number of arguments', 'ERR'],
  ['ReadOnly: a replica', 'READONLY'],
])('the server refused: %s', async (message, code) => {
  const error = await thrown(message)
  expect(isErrorReply(error)).toBe(true)
  expect(String(error)).toContain(`ReplyError: ${code} `)
})

// A bug: any word before a colon was taken for a code of the server, which had refused the command.
test.each([
  'IoError: broken pipe',
  'Disconnected: the connection was reset',
  'Timeout: timed out',
  'constructor: x',
  'timed out',
])('the outcome is unknown: %s', async (message) => {
  expect(isErrorReply(await thrown(message))).toBe(false)
})

// A bug: after any failure nothing was heard any more, and a listener that threw was an unhandled
// rejection.
test('a subscriber that failed hears again, until it is closed', async () => {
  const closed = Object.assign(new Error('closed'), { name: 'ClosingError' })
  const replies = [new Error('reset'), 'one', 'two', closed]
  const heard: string[] = []
  const subscriber = subscriberOfGlide({
    async subscribe() {},
    async getPubSubMessage() {
      const reply = replies.shift()
      if (typeof reply !== 'string') throw reply
      return { channel: 'ended', message: reply }
    },
  })
  subscriber.on('message', (_, message) => {
    heard.push(message)
    if (message === 'one') throw new Error('in the listener')
  })
  await waitFor(() => replies.length === 0, { what: 'all messages' })
  expect(heard).toEqual(['one', 'two'])
})
