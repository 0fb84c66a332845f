import { Shutdown, type PlatformConfig } from '@rockpool/service';
import { openPlatform, startPlatform } from './compose.js';
import { configuration } from './configuration.js';
import { demoTenant, ensureDemoTenant } from './demo-tenant.js';
import { CommandFailure, exitCodes } from './exit-codes.js';
import { announceInstance, retractInstance } from './instance-file.js';
import { whyNotToStart } from './migrate/migration-record.js';
import { version } from './version.js';

/** Starts the platform and returns once it is ready; the process then lives until it is told to stop. */
export async function runStart({ json }: { json: boolean }): Promise<void> {
  const config = configuration(undefined);
  if (config.ROCKPOOL_ENGINE === 'google') {
    throw new CommandFailure(
      exitCodes.config,
      'ROCKPOOL_ENGINE is google, where each app is a process of its own: node apps/<app>/dist/main.js. rockpool start runs all of them in one process, on the embedded engine.',
    );
  }
  const moved = await whyNotToStart(config.ROCKPOOL_DATA_DIR);
  if (moved !== undefined) throw new CommandFailure(exitCodes.problem, moved);
  const platform = await openPlatform(config, 'console');
  try {
    const isNew = await ensureDemoTenant(platform.cloud);
    const service = await startPlatform(platform);
    await announceInstance(config.ROCKPOOL_DATA_DIR, service.url);
    service.app.get(Shutdown).onShutdown('retract the instance file', () => retractInstance(config.ROCKPOOL_DATA_DIR));
    const tenants = (await platform.tenants.list()).map(({ id, spec }) => ({ id: id as string, web: spec.channels.web?.access }));
    const { url } = service;
    process.stdout.write(json ? `${JSON.stringify(addresses(url, config, tenants))}\n` : welcome(url, config, tenants, isNew));
  } catch (error) {
    await platform.close();
    throw error;
  }
}

interface ListedTenant {
  readonly id: string;
  readonly web?: 'public' | 'link';
}

function addresses(url: string, config: PlatformConfig, tenants: readonly ListedTenant[]) {
  const webhooks = `${config.ROCKPOOL_PUBLIC_URL ?? url}/webhooks`;
  return { version, url, webhooks, dataDir: config.ROCKPOOL_DATA_DIR, pid: process.pid, tenants: tenants.map((tenant) => tenant.id) };
}

function welcome(url: string, config: PlatformConfig, tenants: readonly ListedTenant[], isNew: boolean): string {
  const open =
    tenants.find((tenant) => tenant.id === demoTenant && tenant.web === 'public') ?? tenants.find((tenant) => tenant.web === 'public');
  const first = open ?? tenants[0];
  const model = config.ANTHROPIC_API_KEY ?? config.OPENAI_API_KEY ?? config.GEMINI_API_KEY ?? config.OPENAI_BASE_URL;
  const lines = [
    '',
    `  Rockpool ${version} is ready.`,
    '',
    ...(open ? [`  Chat in the browser    ${url}/chat/${open.id}`] : []),
    ...(first ? [`  Chat in the terminal   npx rockpool chat ${first.id}`] : []),
    `  Webhooks               ${config.ROCKPOOL_PUBLIC_URL ?? url}/webhooks/<telegram|slack|http>/<tenant>`,
    `  Data                   ${config.ROCKPOOL_DATA_DIR}`,
    `  Tenants                ${tenants.map((tenant) => tenant.id).join(', ') || 'none'}`,
    '',
    ...(isNew
      ? [
          '  The demo tenant can chat, tell the time, remember and recall, remind, work in the background, and read a web page',
          '  you name. Try: in the background, count to 5 every 2 seconds',
          '',
        ]
      : []),
    '  Next',
    ...(model ? [] : ['    a real model         set ANTHROPIC_API_KEY, OPENAI_API_KEY, GEMINI_API_KEY or OPENAI_BASE_URL and start again']),
    ...(config.ROCKPOOL_PUBLIC_URL ? [] : ['    a public address     set ROCKPOOL_PUBLIC_URL to the https URL that leads here']),
    '    your own tenants     npx rockpool apply tenants.example.yaml --dry-run',
    '    is all well?         npx rockpool doctor',
    '',
    '  Ctrl-C stops it; nothing is lost.',
    '',
  ];
  return `${lines.join('\n')}\n`;
}
