/* SPDX-License-Identifier: MIT */
#include "simulator/world.h"

#include <math.h>

#include "simulator/message.h"

/*
 * A PRP lives like this; each arrow is one event, and nothing else ever happens to it:
 *
 *   created ─→ (priority raised)* ─→ agent.assigned ─→ prp.updated (status, assignedAgent) ─→ status_changed to active
 *      │                                   ┌───────────────────────────────────────────────────────┘
 *      ↓                                   ↓
 *   deleted                     agent.progress up to 100 % ─→ status_changed to completed, gone
 *                                          ↓↑
 *                        status_changed to blocked, and back to active
 *
 * The three events of an assignment belong together and are not interrupted: `announcing` is the PRP between them.
 * An agent works on one PRP at a time. All members of every event are those of the protocol page's examples, and
 * none is ever missing.
 *
 * All randomness comes from one generator and is drawn in an order that depends on nothing else, so a seed is
 * enough to have the same life again.
 */

typedef enum {
  STAGE_PENDING,
  STAGE_ASSIGNED, /* agent.assigned was sent */
  STAGE_UPDATED,  /* prp.updated was sent as well */
  STAGE_ACTIVE,
  STAGE_BLOCKED,
  STAGE_DONE, /* progress is at 100 % */
} Stage;

typedef struct {
  char *id;
  guint project;
  gint agent; /* index, -1 for none yet */
  guint plan;
  guint priority;
  Stage stage;
  guint steps; /* agent.progress events so far */
  guint estimated_hours;
  double actual_hours;
} Prp;

struct SimWorld {
  GRand *random;
  guint64 next_id;
  guint next_plan;
  GPtrArray *prps; /* of Prp */
  Prp *announcing; /* one of prps, or NULL */
};

#define N_TASKS 4
#define STEPS_PER_TASK 2 /* agent.progress when it is begun, and when it is half done */
#define MIN_PRPS 3       /* below it the next thing is a new one */

static const struct {
  const char *id, *name;
} projects[SIM_WORLD_N_PROJECTS] = {
  { "proj_atlas", "Atlas" },
  { "proj_borealis", "Borealis" },
  { "proj_comet", "Comet" },
};

static const char *const agents[SIM_WORLD_N_AGENTS] = { "agent_001", "agent_002", "agent_003", "agent_004",
                                                        "agent_005" };
static const char *const users[] = { "usr_ada", "usr_grace", "usr_linus" };
static const char *const priorities[] = { "low", "medium", "high", "critical" };
static const char *const blocked_reasons[] = { "Waiting for review", "Waiting for access", "Build is broken" };
static const char *const deleted_reasons[] = { "Duplicate entry", "No longer needed", "Superseded" };

static const struct {
  const char *name, *description, *tasks[N_TASKS];
} plans[] = {
  { "Implement Authentication", "Add JWT authentication to the API",
    { "Setup authentication routes", "Configure JWT library", "Implementing JWT middleware", "Add tests" } },
  { "Add Full-Text Search", "Let users search all documents by their content",
    { "Choose the tokenizer", "Build the index", "Rank the results", "Add the search box" } },
  { "Speed Up the Dashboard", "The dashboard should open in less than a second",
    { "Measure where the time goes", "Cache the summary", "Load charts on demand", "Measure again" } },
  { "Export to CSV", "Tables can be downloaded as CSV files",
    { "Write the encoder", "Stream large tables", "Add the download button", "Document the columns" } },
  { "Rotate Backups", "Keep seven daily and four weekly backups",
    { "Write the retention rule", "Prune old backups", "Restore one as a test", "Alert on failure" } },
  { "Translate the Interface", "Offer the interface in German and in French",
    { "Mark all texts", "Extract the catalogue", "Add the language menu", "Proofread „über uns“" } },
  { "Harden the Upload Path", "Uploads are checked before they are stored",
    { "Limit the size", "Check the type", "Scan in a sandbox", "Add fuzz tests" } },
  { "Migrate to SQLite", "Replace the flat files by a database",
    { "Design the schema", "Write the migration", "Switch reads over", "Remove the old code" } },
};

const char *
sim_world_project_id (guint index)
{
  return index < SIM_WORLD_N_PROJECTS ? projects[index].id : NULL;
}

const char *
sim_world_agent_id (guint index)
{
  return index < SIM_WORLD_N_AGENTS ? agents[index] : NULL;
}

void
sim_event_free (SimEvent *event)
{
  if (event == NULL)
    return;
  json_node_unref (event->data);
  g_free (event->project_channel);
  g_free (event->prp_channel);
  g_free (event->agent_channel);
  g_free (event);
}

static void
prp_free (Prp *prp)
{
  g_free (prp->id);
  g_free (prp);
}

SimWorld *
sim_world_new (guint64 seed)
{
  const guint32 seeds[] = { (guint32) seed, (guint32) (seed >> 32) };
  SimWorld *world = g_new0 (SimWorld, 1);

  world->random = g_rand_new_with_seed_array (seeds, G_N_ELEMENTS (seeds));
  world->next_id = 100000 + (guint64) g_rand_int_range (world->random, 0, 800000);
  world->next_plan = (guint) g_rand_int_range (world->random, 0, G_N_ELEMENTS (plans));
  world->prps = g_ptr_array_new_with_free_func ((GDestroyNotify) prp_free);
  return world;
}

void
sim_world_free (SimWorld *world)
{
  if (world == NULL)
    return;
  g_rand_free (world->random);
  g_ptr_array_unref (world->prps);
  g_free (world);
}

static guint
draw (SimWorld *world, guint n)
{
  return (guint) g_rand_int_range (world->random, 0, (gint32) n);
}

#define DRAW_FROM(world, array) ((array)[draw ((world), G_N_ELEMENTS (array))])

static const char *
stage_to_status (Stage stage)
{
  switch (stage) {
  case STAGE_PENDING:
  case STAGE_ASSIGNED:
    return "pending";
  case STAGE_UPDATED:
  case STAGE_ACTIVE:
  case STAGE_DONE:
    return "active";
  case STAGE_BLOCKED:
    return "blocked";
  }
  g_assert_not_reached ();
}

static guint
prp_get_progress (const Prp *prp)
{
  return prp->stage == STAGE_DONE ? 100 : 100 * prp->steps / (N_TASKS * STEPS_PER_TASK + 1);
}

static const char *
prp_get_agent (const Prp *prp)
{
  return agents[prp->agent];
}

static char *
make_channel (const char *kind, const char *id)
{
  return g_strconcat (kind, ":", id, NULL);
}

/* Consumes @data. */
static SimEvent *
make_event (const Prp *prp, const char *type, JsonBuilder *data)
{
  g_autoptr (JsonBuilder) owned = data;
  SimEvent *event = g_new0 (SimEvent, 1);

  event->type = type;
  event->data = json_builder_get_root (owned);
  event->project_channel = make_channel ("project", projects[prp->project].id);
  event->prp_channel = make_channel ("prp", prp->id);
  event->agent_channel = prp->agent >= 0 ? make_channel ("agent", prp_get_agent (prp)) : NULL;
  return event;
}

static JsonBuilder *
begin (void)
{
  return json_builder_begin_object (json_builder_new ());
}

static void
add_string (JsonBuilder *builder, const char *name, const char *value)
{
  json_builder_add_string_value (json_builder_set_member_name (builder, name), value);
}

static void
add_time (JsonBuilder *builder, const char *name, gint64 realtime_usec)
{
  g_autofree char *text = sim_time_format (realtime_usec);

  add_string (builder, name, text);
}

/* A member of `changes`; NULL for null. */
static void
add_change (JsonBuilder *builder, const char *name, const char *old, const char *new)
{
  json_builder_begin_object (json_builder_set_member_name (builder, name));
  json_builder_set_member_name (builder, "old");
  if (old != NULL)
    json_builder_add_string_value (builder, old);
  else
    json_builder_add_null_value (builder);
  add_string (builder, "new", new);
  json_builder_end_object (builder);
}

static SimEvent *
create_prp (SimWorld *world, gint64 now)
{
  Prp *prp = g_new0 (Prp, 1);
  JsonBuilder *data = begin ();

  prp->id = g_strdup_printf ("prp_%06" G_GUINT64_FORMAT, world->next_id++);
  /* The first is always in the first project, so that who follows the README sees something at once. */
  prp->project = world->prps->len == 0 ? 0 : draw (world, SIM_WORLD_N_PROJECTS);
  prp->agent = -1;
  prp->plan = world->next_plan++ % G_N_ELEMENTS (plans);
  prp->priority = draw (world, 3);
  prp->estimated_hours = 2 + draw (world, 15);
  g_ptr_array_add (world->prps, prp);

  add_string (data, "id", prp->id);
  add_string (data, "projectId", projects[prp->project].id);
  add_string (data, "name", plans[prp->plan].name);
  add_string (data, "description", plans[prp->plan].description);
  add_string (data, "status", stage_to_status (prp->stage));
  add_string (data, "priority", priorities[prp->priority]);
  add_string (data, "createdBy", DRAW_FROM (world, users));
  add_time (data, "createdAt", now);
  json_builder_end_object (data);
  return make_event (prp, "prp.created", data);
}

static SimEvent *
raise_priority (SimWorld *world, Prp *prp, gint64 now)
{
  JsonBuilder *data = begin ();

  add_string (data, "id", prp->id);
  json_builder_begin_object (json_builder_set_member_name (data, "changes"));
  add_change (data, "priority", priorities[prp->priority], priorities[prp->priority + 1]);
  json_builder_end_object (data);
  add_string (data, "updatedBy", DRAW_FROM (world, users));
  add_time (data, "updatedAt", now);
  json_builder_end_object (data);
  prp->priority++;
  return make_event (prp, "prp.updated", data);
}

/* Forgets @prp. */
static SimEvent *
delete_prp (SimWorld *world, Prp *prp)
{
  JsonBuilder *data = begin ();
  SimEvent *event;

  add_string (data, "id", prp->id);
  add_string (data, "projectId", projects[prp->project].id);
  add_string (data, "deletedBy", DRAW_FROM (world, users));
  add_string (data, "reason", DRAW_FROM (world, deleted_reasons));
  json_builder_end_object (data);
  event = make_event (prp, "prp.deleted", data);
  g_ptr_array_remove (world->prps, prp);
  return event;
}

static SimEvent *
assign (SimWorld *world, Prp *prp, guint agent, gint64 now)
{
  JsonBuilder *data = begin ();

  prp->agent = (gint) agent;
  prp->stage = STAGE_ASSIGNED;
  world->announcing = prp;

  add_string (data, "agentId", prp_get_agent (prp));
  add_string (data, "prpId", prp->id);
  add_string (data, "priority", priorities[prp->priority]);
  add_time (data, "estimatedStartTime", now + 3600 * (gint64) G_USEC_PER_SEC);
  json_builder_end_object (data);
  return make_event (prp, "agent.assigned", data);
}

static SimEvent *
update_assigned (SimWorld *world, Prp *prp, gint64 now)
{
  JsonBuilder *data = begin ();

  prp->stage = STAGE_UPDATED;
  add_string (data, "id", prp->id);
  json_builder_begin_object (json_builder_set_member_name (data, "changes"));
  add_change (data, "status", "pending", "active");
  add_change (data, "assignedAgent", NULL, prp_get_agent (prp));
  json_builder_end_object (data);
  add_string (data, "updatedBy", DRAW_FROM (world, users));
  add_time (data, "updatedAt", now);
  json_builder_end_object (data);
  return make_event (prp, "prp.updated", data);
}

static SimEvent *
change_status (const Prp *prp, const char *from, const char *to, const char *reason)
{
  JsonBuilder *data = begin ();

  add_string (data, "id", prp->id);
  add_string (data, "previousStatus", from);
  add_string (data, "newStatus", to);
  add_string (data, "reason", reason);
  add_string (data, "changedBy", prp_get_agent (prp));
  json_builder_begin_object (json_builder_set_member_name (data, "metrics"));
  json_builder_add_int_value (json_builder_set_member_name (data, "estimatedHours"), prp->estimated_hours);
  json_builder_add_double_value (json_builder_set_member_name (data, "actualHours"), prp->actual_hours);
  json_builder_add_int_value (json_builder_set_member_name (data, "completionRate"), prp_get_progress (prp));
  json_builder_end_object (data);
  json_builder_end_object (data);
  return make_event (prp, "prp.status_changed", data);
}

static void
add_tasks (JsonBuilder *builder, const char *name, const Prp *prp, guint from, guint to)
{
  json_builder_begin_array (json_builder_set_member_name (builder, name));
  for (guint i = from; i < to; i++)
    json_builder_add_string_value (builder, plans[prp->plan].tasks[i]);
  json_builder_end_array (builder);
}

static SimEvent *
make_progress (SimWorld *world, Prp *prp)
{
  JsonBuilder *data = begin ();
  guint current;

  prp->steps++;
  prp->actual_hours +=
      (prp->estimated_hours + draw (world, prp->estimated_hours)) / 2.0 / (N_TASKS * STEPS_PER_TASK);
  prp->actual_hours = round (prp->actual_hours * 4) / 4; /* people count in quarters of an hour */
  if (prp->steps > N_TASKS * STEPS_PER_TASK)
    prp->stage = STAGE_DONE;
  current = (prp->steps - 1) / STEPS_PER_TASK;

  add_string (data, "agentId", prp_get_agent (prp));
  add_string (data, "prpId", prp->id);
  json_builder_add_int_value (json_builder_set_member_name (data, "progress"), prp_get_progress (prp));
  add_string (data, "currentTask", prp->stage == STAGE_DONE ? "Handing over" : plans[prp->plan].tasks[current]);
  add_tasks (data, "completedTasks", prp, 0, current);
  add_tasks (data, "remainingTasks", prp, MIN (current + 1, N_TASKS), N_TASKS);
  json_builder_end_object (data);
  return make_event (prp, "agent.progress", data);
}

/* Forgets @prp. */
static SimEvent *
complete (SimWorld *world, Prp *prp)
{
  SimEvent *event = change_status (prp, "active", "completed", "All requirements met");

  g_ptr_array_remove (world->prps, prp);
  return event;
}

/* An agent without a PRP, or -1. */
static gint
find_idle_agent (SimWorld *world)
{
  guint first = draw (world, SIM_WORLD_N_AGENTS);

  for (guint i = 0; i < SIM_WORLD_N_AGENTS; i++) {
    guint agent = (first + i) % SIM_WORLD_N_AGENTS;
    gboolean busy = FALSE;

    for (guint j = 0; j < world->prps->len && !busy; j++)
      busy = ((Prp *) world->prps->pdata[j])->agent == (gint) agent;
    if (!busy)
      return (gint) agent;
  }
  return -1;
}

/* What happens to @prp next, NULL for nothing. */
static SimEvent *
live (SimWorld *world, Prp *prp, gint64 now)
{
  guint chance = draw (world, 100);
  gint agent;

  switch (prp->stage) {
  case STAGE_PENDING:
    if (chance < 8)
      return delete_prp (world, prp);
    if (chance < 25 && prp->priority + 1 < G_N_ELEMENTS (priorities))
      return raise_priority (world, prp, now);
    agent = find_idle_agent (world);
    return agent >= 0 ? assign (world, prp, (guint) agent, now) : NULL;

  case STAGE_ASSIGNED:
    return update_assigned (world, prp, now);

  case STAGE_UPDATED:
    prp->stage = STAGE_ACTIVE;
    world->announcing = NULL;
    return change_status (prp, "pending", "active", "Work has begun");

  case STAGE_ACTIVE:
    if (chance >= 6)
      return make_progress (world, prp);
    prp->stage = STAGE_BLOCKED;
    return change_status (prp, "active", "blocked", DRAW_FROM (world, blocked_reasons));

  case STAGE_BLOCKED:
    if (chance >= 40)
      return NULL;
    prp->stage = STAGE_ACTIVE;
    return change_status (prp, "blocked", "active", "Work goes on");

  case STAGE_DONE:
    return complete (world, prp);
  }
  g_assert_not_reached ();
}

SimEvent *
sim_world_step (SimWorld *world, gint64 realtime_usec)
{
  guint chance = draw (world, 100);

  if (world->announcing != NULL)
    return live (world, world->announcing, realtime_usec);
  if (world->prps->len < MIN_PRPS || (chance < 8 && world->prps->len < SIM_WORLD_MAX_PRPS))
    return create_prp (world, realtime_usec);

  /* Ends: a blocked PRP may be drawn again and is free in the end, and where none is blocked an agent is idle or
   * its PRP goes on. */
  for (;;) {
    SimEvent *event = live (world, world->prps->pdata[draw (world, world->prps->len)], realtime_usec);

    if (event != NULL)
      return event;
  }
}

static void
describe_id (JsonBuilder *builder, const char *kind, const char *id)
{
  g_autofree char *channel = make_channel (kind, id);

  add_string (builder, "id", id);
  add_string (builder, "channel", channel);
}

JsonNode *
sim_world_describe (SimWorld *world)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  json_builder_begin_object (builder);
  json_builder_begin_array (json_builder_set_member_name (builder, "projects"));
  for (guint i = 0; i < SIM_WORLD_N_PROJECTS; i++) {
    json_builder_begin_object (builder);
    describe_id (builder, "project", projects[i].id);
    add_string (builder, "name", projects[i].name);
    json_builder_end_object (builder);
  }
  json_builder_end_array (builder);

  json_builder_begin_array (json_builder_set_member_name (builder, "agents"));
  for (guint i = 0; i < SIM_WORLD_N_AGENTS; i++) {
    json_builder_begin_object (builder);
    describe_id (builder, "agent", agents[i]);
    json_builder_end_object (builder);
  }
  json_builder_end_array (builder);

  json_builder_begin_array (json_builder_set_member_name (builder, "prps"));
  for (guint i = 0; i < world->prps->len; i++) {
    const Prp *prp = world->prps->pdata[i];

    json_builder_begin_object (builder);
    describe_id (builder, "prp", prp->id);
    add_string (builder, "name", plans[prp->plan].name);
    add_string (builder, "projectId", projects[prp->project].id);
    add_string (builder, "status", stage_to_status (prp->stage));
    add_string (builder, "priority", priorities[prp->priority]);
    json_builder_set_member_name (builder, "assignedAgent");
    if (prp->agent >= 0)
      json_builder_add_string_value (builder, prp_get_agent (prp));
    else
      json_builder_add_null_value (builder);
    json_builder_add_int_value (json_builder_set_member_name (builder, "progress"), prp_get_progress (prp));
    json_builder_end_object (builder);
  }
  json_builder_end_array (builder);
  json_builder_end_object (builder);
  return json_builder_get_root (builder);
}
