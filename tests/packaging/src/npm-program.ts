import { tmpdir } from 'node:os'
import { command } from './command.ts'

const found = new Map<string, Promise<string>>()

/**
 * The path of a Node of this version, `24` or `20.19.0`. It comes from npm, whose package `node`
 * holds the binary, and stays in npm's cache.
 */
export function nodeBinary(version: string): Promise<string> {
  return once(`node@${version}`, async (spec) => {
    const script = 'process.version + " " + process.execPath'
    const [actual = '', path = ''] = (await fromNpm(spec, 'node', '-p', script)).split(' ')
    if (!`${actual}.`.startsWith(`v${version}.`)) {
      throw new Error(`Node ${version} was asked for, and npm gave ${actual}.`)
    }
    return path
  })
}

/** The path of Bun, from npm. */
export function bunBinary(): Promise<string> {
  return once('bun@1', (spec) => fromNpm(spec, 'bun', '-e', 'console.log(process.execPath)'))
}

/** The path of Deno, from npm. */
export function denoBinary(): Promise<string> {
  return once('deno@2', (spec) => fromNpm(spec, 'deno', 'eval', 'console.log(Deno.execPath())'))
}

/** The path of the compiler of a TypeScript, `5.6`, from npm. */
export function typescriptCompiler(version: string): Promise<string> {
  return once(`typescript@${version}`, async (spec) => {
    const path = await fromNpm(spec, 'node', '-p', WHERE_TSC)
    const printed = await command(process.execPath, [path, '--version'], { cwd: tmpdir() })
    if (printed.startsWith(`Version ${version}.`)) return path
    throw new Error(`TypeScript ${version} was asked for, and npm gave ${printed}.`)
  })
}

/** npx puts the programs of the package on PATH. */
const WHERE_TSC = `
const { realpathSync, existsSync } = require('node:fs')
process.env.PATH.split(':').map((folder) => folder + '/tsc').filter(existsSync).map((path) => realpathSync(path))[0]
`

function once(spec: string, fetched: (spec: string) => Promise<string>): Promise<string> {
  const path = found.get(spec) ?? fetched(spec)
  found.set(spec, path)
  return path
}

async function fromNpm(spec: string, program: string, ...args: string[]): Promise<string> {
  const printed = await command('npx', ['-y', '-p', spec, program, ...args], {
    cwd: tmpdir(),
  }).catch((cause) => {
    throw new Error(`These tests run on ${spec}, which npm could not give.`, { cause })
  })
  return printed.trim()
}
