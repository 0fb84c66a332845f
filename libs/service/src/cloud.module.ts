import { Global, Module, type DynamicModule } from '@nestjs/common';
import { Blobs, Documents, Identity, MessageBus, Secrets, Tasks, type Cloud } from '@rockpool/cloud';

/** Injection token of the whole {@link Cloud}. Ask for one port instead wherever one is enough. */
export const CLOUD = Symbol('rockpool.cloud');

/** Makes the ports of an opened engine injectable everywhere by their abstract classes. It does not close the engine: who opened it does. */
@Global()
@Module({})
export class CloudModule {
  static forRoot(cloud: Cloud): DynamicModule {
    const providers = [
      { provide: CLOUD, useValue: cloud },
      { provide: MessageBus, useValue: cloud.bus },
      { provide: Documents, useValue: cloud.documents },
      { provide: Tasks, useValue: cloud.tasks },
      { provide: Blobs, useValue: cloud.blobs },
      { provide: Secrets, useValue: cloud.secrets },
      { provide: Identity, useValue: cloud.identity },
    ];
    return { module: CloudModule, providers, exports: providers.map(({ provide }) => provide) };
  }
}
