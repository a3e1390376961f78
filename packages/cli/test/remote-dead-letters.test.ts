import { expect, test } from 'vitest'
import type { DashboardApi } from '../src/command/dashboard-api.ts'
import { remoteData } from '../src/remote/dead-letters.ts'

const shows = (answer: object | undefined) =>
  ({ find: async () => answer }) as unknown as DashboardApi

// A bug: the mask's text was printed as the data of the letter, to be edited, and was sent.
test('data that a dashboard masks is not printed to be edited', async () => {
  const masked = shows({ letter: { data: '{"card":"***"}' }, isEditable: false })
  for (const source of ['consumers', 'webhooks']) {
    await expect(remoteData(masked, source, '34')).rejects.toThrow('name the database')
  }
})

test.each([
  ['that is not masked', 'consumers', { letter: { data: '{"a":1}' }, isEditable: true }],
  ['of a saga, which nobody edits', 'sagas', { letter: { data: '{"a":1}' }, isEditable: false }],
])('data %s is printed', async (_, source, answer) => {
  expect(await remoteData(shows(answer), source, '34')).toBe('{"a":1}')
})

test('a letter that there is not has no data', async () => {
  expect(await remoteData(shows(undefined), 'consumers', '34')).toBeUndefined()
})
