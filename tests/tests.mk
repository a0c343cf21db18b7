# SPDX-License-Identifier: GPL-2.0-or-later
# What a check_* binary links beyond the core and the object of its name: see the
# comment in the Makefile.
MACHINE_OBJ := $(addprefix daemon/,table_parse.o worker.o block_device.o live_table.o aside.o \
	log_device.o copier.o legs.o machine.o provoke.o)
check_machine_EXTRA := $(MACHINE_OBJ)
check_aside_EXTRA := daemon/worker.o
check_legs_EXTRA := $(MACHINE_OBJ)
check_corosync_port_EXTRA := cluster/send_queue.o
COMMAND_OBJ := $(addprefix daemon/,status_json.o wait_words.o resync_speed.o report.o)
check_command_EXTRA := $(COMMAND_OBJ)
check_log_image_EXTRA := tools/examine_show.o daemon/wait_words.o
check_picture_EXTRA := tools/log_image.o tools/picture_svg.o
check_openmetrics_EXTRA := tools/answer.o
check_show_logs_EXTRA := $(addprefix tools/,show.o answer.o mirror_name.o) $(MACHINE_OBJ)
check_tab_EXTRA := $(addprefix tools/,tab_file.o mirror_plan.o plan_parse.o log_source.o log_image.o examine_show.o) \
	daemon/table_parse.o daemon/wait_words.o
check_verify_EXTRA := tools/log_image.o
check_log_memory_EXTRA := daemon/report.o
