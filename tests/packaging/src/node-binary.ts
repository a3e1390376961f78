import { tmpdir } from 'node:os'
import { command } from './command.ts'

const found = new Map<string, Promise<string>>()

/**
 * The path of a Node of this version, `24` or `20.19.0`. It comes from npm, whose package `node`
 * holds the binary, and stays in npm's cache.
 */
export function nodeBinary(version: string): Promise<string> {
  const path = found.get(version) ?? fetched(version)
  found.set(version, path)
  return path
}

async function fetched(version: string): Promise<string> {
  const args = [
    '-y',
    '-p',
    `node@${version}`,
    'node',
    '-p',
    'process.version + " " + process.execPath',
  ]
  const printed = await command('npx', args, { cwd: tmpdir() }).catch((cause) => {
    throw new Error(`These tests run on Node ${version}, which npm could not give.`, { cause })
  })
  const [actual = '', path = ''] = printed.trim().split(' ')
  if (!`${actual}.`.startsWith(`v${version}.`)) {
    throw new Error(`Node ${version} was asked for, and npm gave ${actual}.`)
  }
  return path
}
