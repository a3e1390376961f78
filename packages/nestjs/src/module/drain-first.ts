import type { Modules } from './prepare-routes.ts'

/**
 * Makes Nest destroy our module before every other one, so that handlers still have their pool
 * while the module drains. Nest destroys modules by their distance from the root module, nearest
 * first, and takes a global module for the farthest. It sorts them when the application is
 * initialized; this is called earlier, when providers are made.
 */
export function drainFirst(modules: Modules, ours: unknown): void {
  for (const module of modules.values()) {
    if (module.metatype === ours) module.distance = NEARER_THAN_THE_ROOT
  }
}

const NEARER_THAN_THE_ROOT = -1
