import { describe, expect, test } from 'vitest'
import { isAnswer, isRefusal } from '../../src/client/store-error.ts'

const replied = (message: string) => Object.assign(new Error(message), { name: 'ReplyError' })

// A bug: what a proxy answered in place of a server, and what a script said in its middle, counted
// as a refusal of the whole command.
describe('a refusal, after which nothing was carried out,', () => {
  test.each([
    "OOM command not allowed when used memory > 'maxmemory'. script: f00, on @user_script:57.",
    'ERR Error running script (call to f_0): @user_script:1: @user_script: 1: -OOM command not allowed',
    "READONLY You can't write against a read only replica.",
    'NOREPLICAS Not enough good replicas to write.',
    'MISCONF Redis is configured to save RDB snapshots',
    'LOADING Redis is loading the dataset in memory',
    'BUSY Redis is busy running a script.',
    'MOVED 12182 127.0.0.1:7001',
    'NOAUTH Authentication required.',
    "NOPERM User app has no permissions to run the 'evalsha' command",
    'WRONGTYPE Operation against a key holding the wrong kind of value',
    'ERR Error running script (call to f_0): Script killed by user with SCRIPT KILL',
  ])('is %s', (message) => expect(isRefusal(replied(message))).toBe(true))

  test.each([
    'upstream failure',
    'no upstream host',
    'ERR Error running script (call to f_0): @user_script:80: Unknown Redis command',
    "NOPERM ACL failure in script: User app has no permissions to run the 'pexpire' command script: f00",
    "ERR The user executing the script can't run this command or subcommand script: f00",
    'PROXYDOWN the node went away',
  ])('is not %s', (message) => expect(isRefusal(replied(message))).toBe(false))

  test('is no error of the client', () => {
    expect(isRefusal(new Error('READONLY'))).toBe(false)
    expect(isAnswer(new Error('Command timed out'))).toBe(false)
    expect(isAnswer(replied('upstream failure'))).toBe(true)
  })
})
